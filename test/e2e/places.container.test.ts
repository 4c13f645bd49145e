/** A process to which the kernel gives orphans as it does to PID 1, and which takes itself for that: no namespace is needed. */

import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { createTestApp, waitForLog } from '../support/app.ts';
import { testContainer } from './places.container-run.ts';

/** prctl(PR_SET_CHILD_SUBREAPER), which outlives execve. */
const becomeSubreaper = `
import ctypes, os, sys
if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) != 0: sys.exit("prctl failed")
os.execvp(sys.argv[1], sys.argv[1:])
`;

testContainer({
  name: 'what takes itself for PID 1',
  launcher: ['python3', '-c', becomeSubreaper],
  startFile: fileURLToPath(new URL('../support/as-pid-1.ts', import.meta.url)),
  findInit: ({ pid = 0 }) => pid,
});

test('few descriptors are warned of', async (t) => {
  const launcher = ['sh', '-c', 'ulimit -n 512; exec "$@"', 'sh'];
  const app = await createTestApp({ files: {}, launcher });
  t.after(() => app.dispose());
  await waitForLog(app.spawnStart(), () => app.log(), /no process may have more than 512 open files/);
});
