export function describe(count: number): string {
  return `counted to ${count}`;
}
