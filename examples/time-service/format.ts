export function format(time: Date): string {
  return time.toISOString();
}
