/** Carts that customers fill: GET /ann/20 puts something for 20 into Ann's and says what the cart costs. */

import { createServer } from 'node:http';
import { state } from 'midflight';
import { Cart } from './rules.ts';

const carts = state('carts', () => new Map<string, Cart>());

createServer((request, response) => {
  const [, name = '', price = ''] = (request.url ?? '').split('/');
  const cart = carts.get(name) ?? new Cart();
  carts.set(name, cart);
  if (Number(price) > 0) cart.add(Number(price));
  response.end(`${name}: ${cart.total()}\n`);
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
