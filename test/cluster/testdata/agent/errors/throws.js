throw new Error('as the test asked');
