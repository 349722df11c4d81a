//! Files in, and display, figures and files out, through HTTP and a real container.

use std::time::{Duration, Instant};

use e2e::Product;
use serde_json::{Value, json};

#[tokio::test]
async fn the_value_of_the_last_line_is_displayed_as_in_a_notebook() {
    let product = Product::start(&[]).await;
    let run = product.run("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\ndf.head(1)").await;
    assert_eq!(run.field("display")["text/plain"], "   a\n0  1");
    assert!(run.field("display")["text/html"].as_str().unwrap().starts_with("<div>"), "{}", run.body);
    assert_eq!((run.stdout(), run.field("result")), ("", &json!({ "df": [{ "a": 1 }, { "a": 2 }] })));
    for code in ["print(1)", "None", "x = 1\nx;", "1\nraise SystemExit(3)", ""] {
        assert_eq!(product.run(code).await.field("display"), &Value::Null, "{code}");
    }
    let hostile = "class A:\n  def __repr__(self):\n    while True:\n      try:\n        while True: pass\n      except BaseException: pass\nx = 1\nA()";
    let run = product.run(hostile).await;
    assert_eq!((run.status(), run.field("display")), ("ok", &Value::Null));
    assert_eq!(
        (run.field("result"), run.omitted()),
        (&json!({ "x": 1 }), vec![("display", "took too long to encode")])
    );
    product.stop().await;
}

#[tokio::test]
async fn shown_and_open_figures_come_back_in_order_and_giants_are_named() {
    let product = Product::start(&[]).await;
    let code = "import matplotlib.pyplot as plt\nimport seaborn as sns\nfrom PIL import Image\n\
                plt.plot([1, 2])\nplt.show()\nplt.plot([2, 1])\nplt.show()\n\
                fig, axes = plt.subplots(1, 2, figsize=(2, 1), dpi=50)\n\
                closed = plt.figure()\nplt.close(closed)\n\
                grid = sns.relplot(x=[1, 2], y=[1, 2], height=3)\n\
                plt.figure(figsize=(1000, 1000))\n\
                picture = Image.new('RGB', (3, 4))\n\
                fig";
    let run = product.post(json!({ "code": code, "timeout": 60 })).await;
    assert_eq!(run.status(), "ok", "{}", run.body);
    let figures = run.figure_sizes();
    assert_eq!(figures[..3], [(640, 480), (640, 480), (100, 50)], "{figures:?}");
    assert_eq!((figures.len(), figures[4]), (5, (3, 4)), "{figures:?}");
    assert_eq!(run.field("display")["image/png"], run.field("figures")[2]["data"]);
    assert_eq!((run.field("result"), run.field("stderr")), (&json!({}), &json!("")));
    assert_eq!(run.omitted(), [("figure 3", "100000 x 100000 pixels, over the limit of 16777216 in all")]);
    product.stop().await;
}

#[tokio::test]
async fn ten_thousand_figures_are_bounded_in_time_and_memory() {
    let product = Product::start(&[]).await;
    let code = "import matplotlib.pyplot as plt\nplt.rcParams['figure.max_open_warning'] = 0\n\
                for n in range(10_000): plt.figure(figsize=(1, 1))\nx = 1";
    let began = Instant::now();
    let run = product.post(json!({ "code": code, "timeout": 120, "memory_mb": 2048 })).await;
    assert_eq!((run.status(), run.field("result")), ("ok", &json!({ "n": 9999, "x": 1 })), "{}", run.error());
    let run_time = Duration::from_secs_f64(run.field("execution_time").as_f64().unwrap());
    assert!(began.elapsed() < run_time + Duration::from_secs(8), "{:?} of {run_time:?}", began.elapsed());
    assert!(run.figure_sizes().len() <= 64);
    assert!(run.omitted().contains(&("figures", "9936 more: at most 64 come back")), "{:?}", run.omitted());
    product.stop().await;
}

#[tokio::test]
async fn files_of_the_request_are_there_and_new_and_changed_ones_come_back_by_path() {
    let product = Product::start(&[]).await;
    let code = "import csv, os\n\
                total = sum(int(row['n']) for row in csv.DictReader(open('data/in.csv')))\n\
                open('notes.txt', 'a').write(' and more')\n\
                os.makedirs('out')\n\
                open('out/report.txt', 'w').write('zwölf')\n\
                open('out/raw.bin', 'wb').write(b'\\x00\\xff')";
    let files = json!([
        { "path": "data/in.csv", "content": "n\n1\n2\n" },
        { "path": "notes.txt", "content": "YQ==", "encoding": "base64" },
    ]);
    let run = product.post(json!({ "code": code, "files": files })).await;
    assert_eq!((run.status(), run.field("result")), ("ok", &json!({ "total": 3 })), "{}", run.error());
    let expected = json!([
        { "path": "notes.txt", "size": 10, "content": "a and more", "encoding": "utf-8" },
        { "path": "out/raw.bin", "size": 2, "content": "AP8=", "encoding": "base64" },
        { "path": "out/report.txt", "size": 6, "content": "zwölf", "encoding": "utf-8" },
    ]);
    assert_eq!((run.field("files"), run.omitted()), (&expected, vec![]));
    // Each execution has its own.
    let run = product.run("import os\nos.listdir()").await;
    assert_eq!((run.field("display"), run.field("files")), (&json!({ "text/plain": "[]" }), &json!([])));
    let run = product.run("open('a', 'w').write('x')\n1/0").await;
    assert_eq!((run.status(), run.field("files")[0]["content"].as_str()), ("error", Some("x")));
    let refused = product.post(json!({ "code": "", "files": [{ "path": "../a", "content": "" }] })).await;
    assert_eq!(
        (refused.http.as_u16(), &refused.body["detail"][0]["loc"]),
        (422, &json!(["body", "files", 0, "path"]))
    );
    product.stop().await;
}

#[tokio::test]
async fn what_is_no_plain_file_or_too_much_is_named_and_the_rest_comes() {
    let product = Product::start(&["--max-output-files", "2", "--files-limit", "1m"]).await;
    let code = "import os, socket\n\
                os.symlink('/etc/passwd', 'link')\nos.symlink('/', 'root')\nos.link('link', 'twin')\n\
                s = socket.socket(socket.AF_UNIX)\ns.bind('socket')\n\
                os.truncate(os.open('sparse', os.O_CREAT | os.O_RDWR), 60 << 20)\n\
                open('secret', 'w').write('x')\nos.chmod('secret', 0)\n\
                os.mkdir('closed')\nopen('closed/a', 'w').close()\nos.chmod('closed', 0)\n\
                for name in 'abc': open(name, 'wb').write(name.encode() * 300_000)\ndel s, name";
    let run = product.run(code).await;
    assert_eq!(run.status(), "ok", "{}", run.error());
    let paths: Vec<_> = run.field("files").as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(paths, ["a", "b"]);
    let expected = [
        ("c", "over the limit of 2 files"),
        ("closed/", "may not be read"),
        ("link", "a symbolic link"),
        ("root", "a symbolic link"),
        ("secret", "may not be read"),
        ("socket", "a socket"),
        ("sparse", "over the limit of 2 files"),
        ("twin", "a symbolic link"),
    ];
    assert_eq!(run.omitted(), expected);
    product.stop().await;
}

#[tokio::test]
async fn files_that_do_not_fit_are_an_error_and_many_large_ones_leave_the_control_plane_small() {
    let product = Product::start(&["--max-executions", "4"]).await;
    let large = "x".repeat(20 << 20);
    let body = json!({ "code": "x = 1", "memory_mb": 128, "files": [{ "path": "large", "content": large }] });
    let run = product.post(body).await;
    // The limit of one file's size is the workspace's too.
    let error = "the request's files do not fit into the workspace: File too large (large)";
    assert_eq!((run.status(), run.error()), ("error", error));
    let body = json!({ "code": "import os\nos.stat('large').st_size", "files": [{ "path": "large", "content": large }] });
    let run = product.post(body).await;
    assert_eq!(
        (run.field("display"), run.field("files")),
        (&json!({ "text/plain": "20971520" }), &json!([]))
    );

    let fill = "for n in range(30): open(f'{n:02}', 'wb').write(os.urandom(1 << 20))";
    let code = format!("import os\n{fill}");
    let runs = (0..4).map(|_| product.run(&code));
    for run in futures_util::future::join_all(runs).await {
        assert_eq!(
            (run.status(), run.field("files").as_array().unwrap().len()),
            ("ok", 16),
            "{}",
            run.error()
        );
        assert_eq!(run.omitted().len(), 14);
    }
    // Four answers of 16 MiB, each once as bytes and once as the JSON that goes out.
    let most = product.memory("VmHWM");
    assert!(most < 400 << 20, "{} MiB", most >> 20);
    product.stop().await;
}
