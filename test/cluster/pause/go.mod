module semlink.test/pause

go 1.24
