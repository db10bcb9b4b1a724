# Varnish beside us: the same two paths, one cached for a day, one passed through.
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "@origin@";
}

sub vcl_recv {
    if (req.url ~ "^/pass/") {
        return (pass);
    }
}

sub vcl_deliver {
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    }
}
