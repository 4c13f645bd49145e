void import('./sweeping-supervisor.ts');
