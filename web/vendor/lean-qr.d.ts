// The types of what this project uses of lean-qr.

export const correction: Record<'L' | 'M' | 'Q' | 'H', number>

export function generate(
  text: string,
  options: { minCorrectionLevel: number },
): { size: number, get: (x: number, y: number) => boolean }
