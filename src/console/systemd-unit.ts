/** Units of systemd for an app: the service, and the sockets that systemd may hold for it. */

import { isIP } from 'node:net';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import type { Config } from '../release/config.ts';
import { parseListenTarget, toTargetText } from '../supervisor/listeners.ts';

export interface UnitOptions {
  readonly appDirectory: string;
  readonly user: string;
  /** The Node that runs the service. */
  readonly nodeFile: string;
  /** `bin/midflight.js`. */
  readonly commandFile: string;
  readonly ref: string;
  readonly config: Config;
}

export interface Unit {
  /** Of the file in /etc/systemd/system. */
  readonly name: string;
  readonly unit: string;
}

/** Longest time without a sign of life of the supervisor. */
const WATCHDOG_SECONDS = 30;
/** For all of a deploy that has no limit of its own: fetching, installing, compiling. */
const DEPLOY_SECONDS = 300;
/** The time that is left, after the drain, to end the processes. */
const STOP_SECONDS = 15;
const RESTART_SECONDS = 1;
/** Each connection is a descriptor; this is what systemd permits at most where nobody says more. */
const FILE_COUNT_MAX = 524_288;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The unit of the service. Errors: ERR_MIDFLIGHT_USAGE for a path that no unit can have. */
export function toServiceUnit({ nodeFile, commandFile, ref, ...options }: UnitOptions): Unit {
  const { appDirectory, user, config } = options;
  const name = toUnitName(appDirectory);
  const command = `${toQuoted(nodeFile)} ${toWord(commandFile)}`;
  const source = ref === 'HEAD' ? '' : ` ${toWord(ref)}`;
  const { buildTimeoutMs, readyTimeoutMs, probationMs, drainTimeoutMs } = config;
  const startSeconds = toSeconds(buildTimeoutMs + readyTimeoutMs + probationMs) + DEPLOY_SECONDS;
  const unit = `# /etc/systemd/system/${name}.service
[Unit]
Description=${toText(name)}, run by Midflight
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
# The messages come from a helper process.
NotifyAccess=all
User=${toText(user)}
WorkingDirectory=${toText(appDirectory)}
Environment=${toQuoted(`PATH=${path.dirname(nodeFile)}:${SYSTEM_PATH}`)}
ExecStart=${command} start${source}
# Its exit code is that of the deploy.
ExecReload=${command} deploy${source} --wait
TimeoutStartSec=${startSeconds}
# drainTimeoutMs, and ${STOP_SECONDS} s to end.
TimeoutStopSec=${toSeconds(drainTimeoutMs) + STOP_SECONDS}
WatchdogSec=${WATCHDOG_SECONDS}
# Not always: "midflight stop" is meant. 2 and 4 are mistakes that another try does not mend.
Restart=on-failure
RestartSec=${RESTART_SECONDS}
RestartPreventExitStatus=2 4
# The main process ends the others once they have drained. If it is killed, they serve until the next start.
KillMode=process
OOMPolicy=continue
LimitNOFILE=${FILE_COUNT_MAX}

[Install]
WantedBy=multi-user.target
`;
  return { name: `${name}.service`, unit };
}

/** The unit of the sockets. Errors: ERR_MIDFLIGHT_USAGE without addresses, ERR_MIDFLIGHT_ADDRESS_INVALID. */
export function toSocketUnit(appDirectory: string, addresses: readonly string[]): Unit {
  if (addresses.length === 0) {
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      'Where the app listens is not known: start it once, or say it: midflight systemd --socket 127.0.0.1:8080',
    ]);
  }
  const name = toUnitName(appDirectory);
  const streams = addresses.map((address) => `ListenStream=${toText(toStream(address))}`);
  const unit = `# /etc/systemd/system/${name}.socket
[Unit]
Description=Sockets of ${toText(name)}

[Socket]
${streams.join('\n')}

[Install]
WantedBy=sockets.target
`;
  return { name: `${name}.socket`, unit };
}

function toStream(address: string): string {
  const target = parseListenTarget(address, 0);
  if (target.kind === 'unix') return path.resolve(target.path);
  if (target.port === 0) throw new MidflightError('ERR_MIDFLIGHT_ADDRESS_INVALID', [address]);
  if (target.host === null) return String(target.port);
  // systemd looks no names up.
  const host = target.host === 'localhost' ? '127.0.0.1' : target.host;
  if (isIP(host) === 0) throw new MidflightError('ERR_MIDFLIGHT_ADDRESS_INVALID', [address]);
  return toTargetText({ ...target, host });
}

function toUnitName(appDirectory: string): string {
  return path.basename(appDirectory).replaceAll(/[^\w:.-]/g, '-') || 'app';
}

function toSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** The rest of a line. systemd.unit(5): `%` begins a specifier. */
function toText(value: string): string {
  if (/[\p{Cc}]/u.test(value)) {
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `${JSON.stringify(value)} can't stand in a unit; rename what has control characters in its name`,
    ]);
  }
  return value.replaceAll('%', '%%');
}

/** One word. systemd.syntax(7), "Quoting". */
function toQuoted(value: string): string {
  const text = toText(value);
  return /^[\w@%+=:,./$-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** An argument of a command, where `$` begins a variable. systemd.service(5), "Command lines". */
function toWord(value: string): string {
  return toQuoted(value.replaceAll('$', '$$$$'));
}
