import 'reflect-metadata';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

@Injectable()
class Greeter {
  greeting() {
    return `pid ${process.pid}\n`;
  }
}

@Controller()
class Home {
  constructor(private readonly greeter: Greeter) {}

  @Get()
  home() {
    return this.greeter.greeting();
  }
}

@Module({ controllers: [Home], providers: [Greeter] })
class App {}

async function main() {
  const app = await NestFactory.create(App, { logger: ['error'] });
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);
}
main();
