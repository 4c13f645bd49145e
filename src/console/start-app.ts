/** Composes a supervisor: lock, record, listeners, workers, deployer, control socket, signals. What `midflight start` runs. */

import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { createDeployer } from '../deploy/deploy.ts';
import type { DeployRequest } from '../deploy/deploy-request.ts';
import { openHistory } from '../deploy/history.ts';
import { TIMEOUT_MS_MAX } from '../release/config.ts';
import { toHome } from '../release/home.ts';
import { openInheritedSockets } from '../supervisor/inherited-sockets.ts';
import { createListeners } from '../supervisor/listeners.ts';
import { createLocalHost } from '../supervisor/local-host.ts';
import { acquireLock } from '../supervisor/lock.ts';
import { createWorkersEnv } from '../supervisor/workers-env.ts';
import { takeServiceEnvironment } from '../supervisor/service-environment.ts';
import { createWorkers } from '../supervisor/workers.ts';
import { announce, createNotifier } from './announce.ts';
import { openControlServer, SOCKET_PATH_LENGTH_MAX } from './control-server.ts';
import { watchSignals } from './signals.ts';
import { findTerminal } from './terminal.ts';

export interface StartOptions {
  readonly appDirectory: string;
  readonly request: DeployRequest;
  readonly log: (message: string) => void;
}

/** As a shell tells of a program that SIGINT has ended. */
const CUT_EXIT_CODE = 130;

/** Runs until it is stopped; resolves then with the exit code. Rejects where the first release can't be started. */
export async function startApp({ appDirectory, request, log }: StartOptions): Promise<number> {
  const home = toHome(appDirectory);
  if (home.controlSocket.length > SOCKET_PATH_LENGTH_MAX) {
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `The path of the control socket has ${home.controlSocket.length} characters, the system's limit is ${SOCKET_PATH_LENGTH_MAX}: move the app to a shorter path`,
    ]);
  }
  const service = takeServiceEnvironment(process.env);
  const lock = acquireLock(home.lockFile);
  mkdirSync(home.logs, { recursive: true });
  const logFile = createWriteStream(path.join(home.logs, 'app.log'), { flags: 'a' });
  const history = openHistory(home.database, { isOwner: true });
  const listeners = createListeners(openInheritedSockets(service, log));
  const host = createLocalHost({ listeners, sinks: [process.stdout, logFile] });
  const workers = createWorkers(createWorkersEnv({ host, appDirectory, log }));
  const deployer = createDeployer({ home, workers, history });
  const notifier = createNotifier({ service, log });
  const toStatus = announce(notifier, deployer, workers);
  deployer.events.on('progress', ({ step, message }) =>
    log(`${step}${message === '' ? '' : `: ${message}`}`),
  );
  const stopped = Promise.withResolvers<void>();
  let exitCode = 0;
  const control = await openControlServer({
    socket: home.controlSocket,
    appName: path.basename(appDirectory),
    deployer,
    workers,
    history,
    host,
    onStop: stopped.resolve,
  });
  const ignore = watchSignals({
    terminal: findTerminal(),
    async deploy(onBegin) {
      const onWait = (holder: string): void => log(`SIGHUP: waits for its turn: ${holder}`);
      const deploying = deployer.deploy({ ...request, waitMs: TIMEOUT_MS_MAX }, { onBegin, onWait });
      notifier.reloading();
      notifier.extendWhile(deploying);
      await deploying.catch((error: unknown) => log(`SIGHUP: ${String(error)}`));
      notifier.ready(toStatus());
    },
    stop(why) {
      log(`stopping: ${why}`);
      stopped.resolve();
    },
    cut() {
      log('cutting what is in flight');
      exitCode = CUT_EXIT_CODE;
      workers.cut();
    },
  });
  try {
    const serving = deployer.bootstrap(request);
    notifier.extendWhile(serving);
    await Promise.race([serving, stopped.promise]);
    if (workers.currentRelease() !== null) {
      log(`serving ${(await host.addresses()).join(', ') || '(no listener)'}; pid ${process.pid}`);
      for (const address of listeners.unused())
        log(`${address} was passed in and is held, but no worker listens on it`);
      notifier.ready(toStatus());
    }
    await stopped.promise;
  } finally {
    notifier.stopping();
    const stopping = workers.stop(workers.currentRelease()?.manifest.settings.drainTimeoutMs ?? 0);
    notifier.extendWhile(stopping);
    await stopping;
    ignore();
    control.close();
    listeners.close();
    history.close();
    logFile.end();
    await notifier.close();
    lock.dispose();
  }
  return exitCode;
}
