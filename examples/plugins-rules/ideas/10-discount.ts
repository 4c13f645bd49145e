/** A fifth less from a hundred on. */
export function price(price: number): number {
  return price >= 100 ? price * 0.8 : price;
}
