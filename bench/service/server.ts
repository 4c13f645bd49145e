import { createService, listen } from './service.ts';

listen(createService().server);
