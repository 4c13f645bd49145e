/** Not a good idea. */
export function price(price: number): number {
  if (price > 50) throw new Error('nobody ships this');
  return price;
}
