/** Since the process began: a small integer, which costs a response no object. */
export function secondsNow(): number {
  return Math.trunc(performance.now() / 1_000);
}
