/** Composes the keeper of an app: what `midflight start` runs. Loads nothing that only a supervisor needs. */

import path from 'node:path';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MidflightError } from '../errors.ts';
import type { DeployRequest } from '../deploy/deploy-request.ts';
import { toHome } from '../release/home.ts';
import { warnOfFileLimit } from '../supervisor/file-limit.ts';
import { openInheritedSockets } from '../supervisor/inherited-sockets.ts';
import { runKeeper } from '../supervisor/keeper.ts';
import { takeServiceEnvironment } from '../supervisor/service-environment.ts';
import type { NotifiedService } from './announce.ts';

/** Unix socket paths end here on Linux: sockaddr_un. */
const SOCKET_PATH_LENGTH_MAX = 107;
/** The first process of a container, or of a machine. What it has started is known to whoever watches it. */
const INIT_PID = 1;

/** What a supervisor is told at its start, as JSON. One of a later Midflight must understand it, too. */
export interface StartSettings {
  readonly appDirectory: string;
  readonly request: DeployRequest;
  /** Sign what is built of the source; read when that is to be done. A supervisor of before knows nothing of it. */
  readonly signKeyFiles?: readonly string[];
  /** Its lines are JSON. */
  readonly isJson: boolean;
  readonly service: NotifiedService;
}

export interface StartKeeperOptions {
  readonly appDirectory: string;
  readonly request: DeployRequest;
  readonly signKeyFiles: readonly string[];
  readonly isJson: boolean;
  readonly log: (message: string) => void;
}

/** Runs until all has stopped; resolves with the exit code. */
export async function startKeeper({
  appDirectory,
  request,
  signKeyFiles,
  isJson,
  log,
}: StartKeeperOptions): Promise<number> {
  const home = toHome(appDirectory);
  if (home.controlSocket.length > SOCKET_PATH_LENGTH_MAX) {
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `The path of the control socket has ${home.controlSocket.length} characters, the system's limit is ${SOCKET_PATH_LENGTH_MAX}: move the app to a shorter path`,
    ]);
  }
  const warning = warnOfFileLimit();
  if (warning !== null) log(warning);
  const environment = takeServiceEnvironment(process.env);
  const { notifySocket, watchdogMs } = environment;
  const mainPid = process.ppid === INIT_PID ? null : process.pid;
  const settings: StartSettings = {
    appDirectory,
    request,
    signKeyFiles: signKeyFiles.map((file) => path.resolve(file)),
    isJson,
    service: { notifySocket, watchdogMs, mainPid },
  };
  const binFile = findBinFile();
  return runKeeper({
    directory: home.directory,
    lockFile: home.lockFile,
    processFile: home.processFile,
    logFile: path.join(home.logs, 'app.log'),
    sockets: () => openInheritedSockets(environment, log),
    binFile,
    supervisorFile: toSupervisorFile(binFile),
    args: [JSON.stringify(settings)],
    log,
  });
}

/** As it was given to Node: where it is a link, that may lead to another Midflight later. */
function findBinFile(): string {
  const given = process.argv[1] ?? '';
  return path.basename(realpathSync(given)) === 'midflight.js'
    ? given
    : fileURLToPath(new URL('../../bin/midflight.js', import.meta.url));
}

/** The main file of the supervisor of the Midflight that is there now. */
export function toSupervisorFile(binFile: string): string {
  return path.join(path.dirname(realpathSync(binFile)), 'supervisor.js');
}
