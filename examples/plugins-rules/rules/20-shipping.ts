import { state } from 'midflight';

/** Shipping costs five, but for every third order. The count outlives each version of this rule. */
const orders = state('orders', () => ({ count: 0 }));

export function price(price: number): number {
  orders.count += 1;
  return orders.count % 3 === 0 ? price : price + 5;
}
