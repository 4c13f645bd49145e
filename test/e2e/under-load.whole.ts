/**
 * Each framework under load, with one worker and with three.
 *
 *   node --test test/e2e/under-load.whole.ts
 */

import { frameworkNames } from '../support/frameworks.ts';
import { testUnderLoad } from './under-load-run.ts';

const THINK_MS = 5;

for (const framework of frameworkNames)
  for (const workers of [1, 3]) testUnderLoad(framework, workers, THINK_MS);
