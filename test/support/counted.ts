import { appendFileSync } from 'node:fs';

/**
 * Says that so many attacks of a class were tried and every one was refused: after the expectations, so that an attack
 * that got through is not counted. `npm run test:attacks` makes its table of it; elsewhere it does nothing.
 */
export function counted(attack: string, cases: number): void {
  const path = process.env.POSTERN_ATTACKS;
  if (path) appendFileSync(path, `${JSON.stringify({ attack, cases })}\n`);
}
