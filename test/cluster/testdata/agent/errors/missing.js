require('./as the test asked');
