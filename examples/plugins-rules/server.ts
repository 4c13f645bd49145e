/**
 * What an order costs: GET /100 asks all rules, in the order of their names, what they make of a price of 100. Each rule is a
 * plugin: a file in `rules/`, replaced while orders come.
 */

import { createServer } from 'node:http';
import { fn, watchPlugins } from 'midflight/plugin';

const rules = await watchPlugins(
  'rules',
  { price: fn<(price: number) => number>() },
  { breaker: { failures: 3 } },
);
rules
  .on('swap', ({ name }) => console.log(`${name} has changed`))
  .on('rejected', ({ name, error }) => console.log(`${name} was not let in: ${error.message}`))
  .on('rolled-back', ({ name, error }) => console.log(`${name} is as it was before: ${error.message}`));

createServer((request, response) => {
  let price = Number(request.url?.slice(1));
  const applied: string[] = [];
  for (const rule of [...rules].toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    try {
      price = rule.exports.price(price);
      applied.push(rule.name);
    } catch (error) {
      // An order is not lost for a rule: it costs what the others say.
      console.log(`${rule.name} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  response.end(`${price} by ${applied.join(', ')}\n`);
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
