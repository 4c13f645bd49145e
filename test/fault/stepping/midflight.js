// What runs `start` in the fault table: its keeper starts the supervisor.js beside it.
void import('../../../dist/cli/main.js');
