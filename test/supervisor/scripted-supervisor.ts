/** A supervisor that does one thing only. */

import { once } from 'node:events';
import { greetKeeper, type Keeper } from '../../src/supervisor/keeper-client.ts';

const scripts: Record<string, (keeper: Keeper) => Promise<void>> = {
  /** The first starts a process; the fourth finds it, and what the one before has noted, and ends it. */
  async crashThrice(keeper) {
    const { restarts, notebook, processes } = keeper.inventory;
    if (restarts === 0) {
      const spec = { label: { name: 'sleeper' }, file: 'sh', args: ['-c', 'echo printed; sleep 60'] };
      const rest = { cwd: process.cwd(), env: process.env, hasChannel: false, listen: [] };
      const hosted = await keeper.host.spawn({ ...spec, ...rest }, { onMessage() {} });
      while ((await hosted.output()) === '') await new Promise((resolve) => setTimeout(resolve, 5));
    }
    console.log(JSON.stringify({ restarts, notebook, labels: processes.map(({ label }) => label) }));
    keeper.note({ writtenBy: restarts });
    await keeper.ready();
    if (restarts < 3) process.kill(process.pid, 'SIGKILL');
    const [record] = keeper.host.inherited();
    const hosted = keeper.host.adopt(record?.id ?? 0, { onMessage() {} });
    console.log(JSON.stringify({ output: await hosted?.output(), exit: await hosted?.end(1_000) }));
    await keeper.stopped();
    process.exit(7);
  },
  async failAtStart() {
    process.exit(5);
  },
  async stopOnSignal(keeper) {
    if (keeper.inventory.restarts < 2) {
      await keeper.ready();
      process.kill(process.pid, 'SIGKILL');
    }
    const [signal] = (await once(keeper.signals, 'signal')) as [string];
    console.log(JSON.stringify({ signal }));
    await keeper.stopped();
    process.exit(0);
  },
  async alwaysCrash(keeper) {
    await keeper.ready();
    process.kill(process.pid, 'SIGKILL');
  },
};

await scripts[process.argv[2] ?? '']?.(await greetKeeper());
