module midflight.example/go-time

go 1.19
