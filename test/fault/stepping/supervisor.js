void import('./stepping-supervisor.ts');
