require('../report.js')(require.main === module, __filename);
