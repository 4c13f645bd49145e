/** What the tests need of the system: installed where that can be done, else said plainly. */

import { spawnSync } from 'node:child_process';

/** The command that shows that a package is there. */
const commands: Readonly<Record<string, string>> = { git: 'git', 'golang-go': 'go' };

export function installDebianPackages(names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync('which', [commands[name] ?? name]).status !== 0);
  if (missing.length === 0) return;
  const install = `apt-get install -y ${missing.join(' ')}`;
  const canInstall = process.getuid?.() === 0 && spawnSync('which', ['apt-get']).status === 0;
  if (!canInstall || !run('apt-get update') || !run(install)) {
    console.error(`The tests need ${missing.join(' and ')}; install them first: ${install}`);
    process.exit(1);
  }
}

function run(line: string): boolean {
  const [command = '', ...args] = line.split(' ');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
}
