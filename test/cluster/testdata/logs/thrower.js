// Ends by an uncaught exception.
'use strict';
setTimeout(function later() { throw Object.assign(new Error('no\nsuch thing'), { code: 'X' }); }, 1);
