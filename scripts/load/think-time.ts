/** The time between an answer and the next request: always the same, or random between two bounds. */

export type ThinkTime = number | readonly [leastMs: number, mostMs: number];

export function toThinkMs(time: ThinkTime): number {
  if (typeof time === 'number') return time;
  const [leastMs, mostMs] = time;
  return leastMs + Math.random() * (mostMs - leastMs);
}
