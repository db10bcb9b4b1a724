import os


def handler(event, context):
    if event["path"].endswith("/fail"):
        raise ValueError("asked to fail")
    left = context.get_remaining_time_in_millis()
    print("remaining", left)
    return {
        "statusCode": 201,
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": "{} {} {} {}".format(
            event["httpMethod"], event["pathParameters"]["id"], os.environ["TABLE"], 0 < left <= 5000),
    }
