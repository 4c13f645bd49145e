/** Counts once a second, and goes on counting while the function that it calls is replaced. */

import { state } from 'midflight';
import { describe } from './describe.ts';

const counter = state('counter', () => ({ count: 0 }));

setInterval(
  () => {
    counter.count++;
    console.log(describe(counter.count));
  },
  Number(process.env['PERIOD_MS'] ?? 1_000),
);
