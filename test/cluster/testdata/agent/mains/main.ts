enum Main { file = __filename }
require('./report.js')(require.main === module, Main.file);
