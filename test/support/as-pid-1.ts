/** The command line in a process that takes itself for PID 1, until it has become another program. */

import { commandLine } from './app.ts';

const MARK = 'MIDFLIGHT_TEST_WAS_PID_1';

if (process.env[MARK] === undefined) {
  process.env[MARK] = 'yes';
  Object.defineProperty(process, 'pid', { value: 1 });
}
await import(commandLine);
