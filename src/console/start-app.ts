/** Composes a supervisor: lock, record, listeners, workers, deployer, control socket, signals. What `midflight start` runs. */

import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { createDeployer, type DeployRequest, type Deployer } from '../deploy/deploy.ts';
import { openHistory } from '../deploy/history.ts';
import { toHome } from '../release/home.ts';
import { createListeners } from '../supervisor/listeners.ts';
import { createLocalHost } from '../supervisor/local-host.ts';
import { acquireLock } from '../supervisor/lock.ts';
import { createWorkersEnv } from '../supervisor/workers-env.ts';
import { createWorkers } from '../supervisor/workers.ts';
import { openControlServer, SOCKET_PATH_LENGTH_MAX } from './control-server.ts';

export interface StartOptions {
  readonly appDirectory: string;
  readonly request: DeployRequest;
  readonly log: (message: string) => void;
}

/** Runs until it is stopped; resolves then. Rejects where the first release can't be started. */
export async function startApp({ appDirectory, request, log }: StartOptions): Promise<void> {
  const home = toHome(appDirectory);
  if (home.controlSocket.length > SOCKET_PATH_LENGTH_MAX) {
    throw new MidflightError('ERR_MIDFLIGHT_USAGE', [
      `The path of the control socket has ${home.controlSocket.length} characters, the system's limit is ${SOCKET_PATH_LENGTH_MAX}: move the app to a shorter path`,
    ]);
  }
  const lock = acquireLock(home.lockFile);
  mkdirSync(home.logs, { recursive: true });
  const logFile = createWriteStream(path.join(home.logs, 'app.log'), { flags: 'a' });
  const history = openHistory(home.database, { isOwner: true });
  const listeners = createListeners();
  const host = createLocalHost({ listeners, sinks: [process.stdout, logFile] });
  const workers = createWorkers(createWorkersEnv({ host, appDirectory, log }));
  const deployer = createDeployer({ home, workers, history });
  deployer.events.on('progress', ({ step, message }) =>
    log(`${step}${message === '' ? '' : `: ${message}`}`),
  );
  const stopped = Promise.withResolvers<void>();
  const control = await openControlServer({
    socket: home.controlSocket,
    appName: path.basename(appDirectory),
    deployer,
    workers,
    history,
    host,
    onStop: stopped.resolve,
  });
  const ignore = watchSignals(deployer, { request, log, onStop: stopped.resolve });
  try {
    await deployer.bootstrap(request);
    log(`serving ${(await host.addresses()).join(', ') || '(no listener)'}; pid ${process.pid}`);
    await stopped.promise;
    log('stopping');
  } finally {
    await workers.stop(workers.currentRelease()?.manifest.settings.drainTimeoutMs ?? 0);
    ignore();
    control.close();
    listeners.close();
    history.close();
    logFile.end();
    lock.dispose();
  }
}

interface SignalOptions {
  readonly request: DeployRequest;
  readonly log: (message: string) => void;
  onStop(): void;
}

function watchSignals(deployer: Deployer, { request, log, onStop }: SignalOptions): () => void {
  let isAgainWanted = false;
  let isDeploying = false;
  /** Signals that come during a deploy are answered by one more deploy after it. */
  const onHangUp = async (): Promise<void> => {
    isAgainWanted = true;
    if (isDeploying) return;
    isDeploying = true;
    while (isAgainWanted) {
      isAgainWanted = false;
      await deployer.deploy(request).catch((error: unknown) => log(`SIGHUP: ${String(error)}`));
    }
    isDeploying = false;
  };
  const hangUp = (): void => void onHangUp();
  process.on('SIGHUP', hangUp);
  process.on('SIGTERM', onStop);
  process.on('SIGINT', onStop);
  return () => {
    process.off('SIGHUP', hangUp);
    process.off('SIGTERM', onStop);
    process.off('SIGINT', onStop);
  };
}
