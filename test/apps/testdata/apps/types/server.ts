import { createServer, type RequestListener } from 'node:http';

const answer: RequestListener = (request, response) => {
  response.end(`pid ${process.pid}\n`);
};
const port: string | number = process.env.PORT || 3000;
createServer(answer).listen(port);
