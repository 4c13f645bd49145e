/** What the tests and benchmarks need of the system: installed where that can be done, else said plainly. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** The command, or the path, that shows that a package is there. */
const signs: Readonly<Record<string, string>> = {
  'golang-go': 'go',
  'golang-github-coreos-go-systemd-dev': '/usr/share/gocode/src/github.com/coreos/go-systemd',
  'nginx-light': 'nginx',
  procps: 'pgrep',
  systemd: '/lib/systemd/systemd',
  'golang-github-cloudflare-tableflip-dev': '/usr/share/gocode/src/github.com/cloudflare/tableflip',
};

export function installDebianPackages(names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(signs[name] ?? name));
  if (missing.length === 0) return;
  const install = `apt-get install -y ${missing.join(' ')}`;
  const canInstall = process.getuid?.() === 0 && spawnSync('which', ['apt-get']).status === 0;
  if (!canInstall || !run('apt-get update') || !run(install)) {
    console.error(`This needs ${missing.join(' and ')}; install them first: ${install}`);
    process.exit(1);
  }
}

function isInstalled(sign: string): boolean {
  return sign.startsWith('/') ? existsSync(sign) : spawnSync('which', [sign]).status === 0;
}

function run(line: string): boolean {
  const [command = '', ...args] = line.split(' ');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
}
