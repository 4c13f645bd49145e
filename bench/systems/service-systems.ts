/** Everything that replaces processes under the service of the benchmarks. */

import { toCluster } from './cluster.ts';
import { toHaproxy } from './haproxy.ts';
import { toMidflight } from './midflight.ts';
import { toNginx } from './nginx.ts';
import { toPm2 } from './pm2.ts';
import { sharedSocketSystems } from './shared-socket.ts';
import type { System } from './system.ts';

/** The graceful shutdown of pm2's documentation. */
const pm2Entry = `import { createService, listen } from './service.ts';
const { server } = createService();
process.on('SIGINT', () => server.close(() => process.exit(0)));
listen(server);
`;

export const midflight: System = toMidflight('handoff');
export const midflightCarrying: System = {
  ...midflight,
  name: `${midflight.name}, WebSockets carried`,
  entry: 'carrying.mjs',
};
export const pm2: System = { ...toPm2('entry.mjs'), files: { 'entry.mjs': pm2Entry } };
export const cluster: System = toCluster('server.ts');
export const nginxReload: System = toNginx('reload');
export const nginxUpgrade: System = toNginx('binary upgrade');
export const haproxy: System = toHaproxy({ isSpread: false });
export const haproxySpread: System = toHaproxy({ isSpread: true });

export const serviceSystems: readonly System[] = [
  midflight,
  midflightCarrying,
  pm2,
  cluster,
  ...sharedSocketSystems,
  nginxReload,
  nginxUpgrade,
  haproxy,
  haproxySpread,
];
