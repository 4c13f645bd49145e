/**
 * The whole fault table, in half an hour: every process killed at every step.
 *
 *   node --test test/fault/table.whole.ts
 */

import { faultPaths } from './scenarios.ts';
import { cellsOf, testTable } from './table-run.ts';

for (const faultPath of faultPaths) testTable(faultPath, cellsOf(faultPath));
