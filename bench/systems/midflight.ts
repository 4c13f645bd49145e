import type { System } from './system.ts';

export function toMidflight(deployPath: 'swap' | 'handoff'): System {
  return {
    name: `Midflight, ${deployPath}`,
    async start(app) {
      await app.start();
      return {
        deploy: async () => (await app.midflight('deploy', '--path', deployPath)).exitCode,
        async supervisorPid() {
          const { json } = await app.midflight('status', '--json');
          return (json as { supervisor: { pid: number } }).supervisor.pid;
        },
        stop: async () => app.end(),
      };
    },
  };
}
