export function isPublicAddress(text: string): boolean { return text !== '' }
