from _wire import hang

hang()
