/**
 * The whole fault table, in some minutes: every process killed at every step of a swap and of a handoff.
 *
 *   node --test test/fault/table.whole.ts
 */

import { faultPaths } from './fault-app.ts';
import { cellsOf, testTable } from './table-run.ts';

for (const faultPath of faultPaths) testTable(faultPath, cellsOf(faultPath));
