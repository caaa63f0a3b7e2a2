"""The beanstalkd driver for packhorse. Applications name it in a URL and import nothing from here."""
