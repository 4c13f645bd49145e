// What runs `start` where a sweep is killed: its keeper starts the supervisor.js beside it.
void import('../../../dist/cli/main.js');
