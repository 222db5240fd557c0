syntax error; // as the test asked
