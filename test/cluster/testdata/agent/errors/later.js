setTimeout(() => { throw new Error('as the test asked'); }, 1);
