/** Which files git is told to ignore: what the app writes, and what is built from its sources. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** The paths, relative to `root`, that git does not ignore; all of them where there is no git. */
export async function withoutIgnored(root: string, paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return paths;
  const child = spawn('git', ['check-ignore', '-z', '--stdin'], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  try {
    child.stdin.on('error', () => undefined);
    child.stdin.end(paths.join('\0'));
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const ignored = new Set(output.split('\0'));
    return paths.filter((at) => !ignored.has(at));
  } catch {
    // There is no git on this machine.
    return paths;
  }
}
