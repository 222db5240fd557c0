Promise.reject(new Error('as the test asked'));
