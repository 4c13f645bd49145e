/** Each framework under load with one count of workers; `npm run nightly` has each with both, and four times the load. */

import { testUnderLoad } from './under-load-run.ts';

/** Not to be busy with requests alone, when other tests run beside these. */
const THINK_MS = 20;

testUnderLoad('http', 1, THINK_MS);
testUnderLoad('express', 3, THINK_MS);
testUnderLoad('fastify', 1, THINK_MS);
testUnderLoad('koa', 3, THINK_MS);
testUnderLoad('hono', 1, THINK_MS);
