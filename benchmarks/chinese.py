"""Evidence recall in Chinese: a conversation of some weeks and a PDF, twenty questions, by meaning and by word.

    python benchmarks/chinese.py [--json OUT]

Texts and questions were written for this file. The conversation becomes an agent's recall storage, the PDF is made here
and goes the whole way of an upload; each question is asked as the agent would ask it. Half of the questions share a
name, a number or a rare word with what answers them; the other half ask in other words. Under a minute.
"""

import argparse
import io
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from benchmarks.database import database

if TYPE_CHECKING:
    from agents.models import Agent

DEPTHS = (1, 5)
FONT, SIZE, LINE = "STSong-Light", 12, 36  # points, characters

# Talks on different days; the person speaks first, then the two take turns.
TALKS = {
    "2026-03-02": [
        "早上好，我叫林晓雯，刚从成都搬到厦门。",
        "早上好，晓雯！搬家还顺利吗？",
        "还行，就是钢琴在路上磕坏了一个角，心疼死了。",
        "真可惜。厦门潮湿，钢琴要注意防潮。",
        "对了，我在一家造船厂做焊接检验员。",
        "听起来很需要细心。你每天几点上班？",
        "七点半就得到，坐二号线过去要四十分钟。",
        "那你得很早起床。",
    ],
    "2026-03-06": [
        "今天食堂的饭太难吃了。",
        "怎么了？",
        "我对花生过敏，结果他们在凉拌菜里放了花生碎，我嘴都肿了。",
        "那很危险！你吃药了吗？",
        "吃了氯雷他定，现在好多了。",
        "以后吃之前先问一问吧。",
        "嗯，我准备自己带饭了，我外婆教过我做红糟肉。",
        "红糟肉是福州的做法吧？",
        "对，外婆是福州人，今年八十七了，还每天打太极拳。",
        "她身体真好。",
    ],
    "2026-03-11": [
        "周末去鼓浪屿了，人山人海。",
        "好玩吗？",
        "在一家旧书店淘到一本一九五八年的《航海天文历》，才三十块。",
        "捡到宝了！你喜欢老书？",
        "我喜欢跟大海有关的东西，小时候想当灯塔看守人。",
        "为什么是灯塔？",
        "因为我爸爸是远洋轮上的大副，一年只回来两次，我觉得灯塔能照着他回家。",
        "这个理由真让人感动。",
    ],
    "2026-03-18": [
        "我收养了一只流浪猫，三条腿的。",
        "太好了！它叫什么名字？",
        "叫算盘，因为它走路的声音像拨算盘珠子。",
        "很特别的名字。它适应新家了吗？",
        "适应了，就是半夜总要爬到钢琴上去。",
        "也许它喜欢琴弦的声音。",
        "兽医说它大概两岁，还要再打一针疫苗，约在四月九号。",
        "我记住了，到时候提醒你。",
    ],
    "2026-03-25": [
        "今天好累，不想说话。",
        "发生什么事了？",
        "我检验的那条船有一道焊缝没过关，组长怪我太严格。",
        "你做得对，安全最要紧。",
        "后来拍了片子，里面真的有裂纹，他就不吭声了。",
        "看，你的坚持是有道理的。",
        "嗯，那条船编号是HX-2207，差点就下水了。",
        "幸好有你。",
    ],
    "2026-04-02": [
        "我跟你说，我报名参加了半程马拉松。",
        "哇，什么时候？",
        "五月十七号，在环岛路。我最多只跑过十公里。",
        "还有一个多月，可以慢慢加量。",
        "我表哥陈立群答应陪我练，他是体育老师。",
        "有人陪着练会容易坚持。",
        "他让我每周跑三次，周日跑长的。",
        "记得穿一双合脚的鞋。",
    ],
    "2026-04-10": [
        "算盘打完针回来就不理我了。",
        "它在生你的气呢。",
        "我给它买了三文鱼，它才肯出来。",
        "看来它很会谈条件。",
        "医生姓欧阳，特别温柔，说算盘的心脏有一点杂音。",
        "要紧吗？",
        "暂时不要紧，半年后复查一次B超就行。",
        "好，我也记下了。",
    ],
    "2026-04-21": [
        "我在考虑要不要辞职。",
        "为什么呢？",
        "青岛有个船级社想让我过去，工资多四成，可是要离开这里。",
        "你心里更倾向哪边？",
        "我舍不得海边的房子，也舍不得外婆，去福州坐动车才一个半小时。",
        "可以先问问能不能远程做一部分。",
        "对方说六月底以前给答复就行。",
        "那还有时间好好想想。",
    ],
}

TITLE = "东礁灯塔值守手册"
PAGES = (
    "东礁灯塔建于光绪十九年，由英国工程师韩德善设计，塔身为花岗岩砌筑，高三十一米，共有一百四十二级台阶。一九四四年遭轰炸，顶部灯室"
    "全部损毁，战后重建时改用钢筋混凝土。",
    "主灯采用三等菲涅尔透镜，每十五秒闪白光两次，晴夜射程二十二海里。透镜漂浮在水银槽上转动，值守人员不得徒手接触水银，"
    "擦拭透镜只能使用蒸馏水与麂皮，禁止使用酒精。",
    "雾天启用气笛，每分钟鸣响一次，每次五秒。能见度低于两海里时必须开启，即使白天也不例外。气笛的空气压缩机每鸣响二百小时要更换滤芯。",
    "备用电源为两台柴油发电机，储油罐容量四千升，可维持全塔运转十八天。柴油由补给船每季度运送一次，卸油时码头上严禁使用手机。",
    "淡水全部来自雨水收集，屋顶汇水面积二百六十平方米，蓄水池分为两格，轮流清洗。夏季连续三十天无雨时启动节水制度，每人每天限用二十升。",
    "值守人员三人一班，每班二十八天。交接班在补给船到达当日上午进行，双方共同清点工具，并在日志上签字。任何人不得单独登塔。",
    "气象观测每三小时一次，记录气压、风向、风速、浪高和能见度，用甚高频十六频道报告海事中心。气压三小时内下降超过四百帕时，应加密为每小时一次。",
    "台风来临前，应放下灯室外侧的铝合金防护板，将小艇吊上绞车平台，食品与药品移至二层。风力超过十一级时，全体人员进入底层避险室，不得外出。",
    "医药箱存放在厨房东墙的红色柜子里，钥匙由班长保管。被水母蜇伤时用食醋冲洗，不可用淡水。重伤须用卫星电话呼叫救助直升机，呼号为海燕三。",
    "岛上栖息着约六百对黑尾鸥，四月至七月为繁殖期，期间禁止进入北坡。灯光会使候鸟迷航，过境高峰的夜晚应拉上住房窗帘，只留航标灯。",
    "厨房使用液化气，每周一检查管路接头。冰箱有两台，一台专放鱼饵和水样，不得存放食物。垃圾分类装袋，随补给船带回大陆，不得投海。",
    "小艇马力四十匹，限载四人，只在浪高一米以下时使用。出艇前须穿救生衣，携带手持电台和烟雾信号，并告知留守人员返回时间。",
    "灯塔日志自一八九三年起连续保存，现存四十七册，前十二册在省档案馆。最早的一页由第一任看守人麦阿福书写，记录了一艘福船在浓雾中触礁的经过。",
    "遥控遥测系统于二零一一年安装，主灯熄灭超过三十秒，备用灯自动点亮，并向海事中心发送编号为E-407的告警。值守人员收到告警后十分钟内必须登塔查看。",
)


@dataclass(frozen=True)
class Question:
    """`evidence` stands in the message or passage that answers."""

    text: str
    evidence: str
    by_word: bool


CONVERSATION_QUESTIONS = (
    Question("林晓雯做什么工作？", "焊接检验员", by_word=False),
    Question("她不能吃什么东西？", "花生过敏", by_word=False),
    Question("她的宠物为什么叫算盘？", "拨算盘珠子", by_word=True),
    Question("HX-2207 是什么？", "编号是HX-2207", by_word=True),
    Question("父亲的职业是什么？", "远洋轮上的大副", by_word=False),
    Question("陈立群是谁？", "陈立群", by_word=True),
    Question("老人家多大年纪了，还锻炼身体吗？", "八十七", by_word=False),
    Question("氯雷他定", "氯雷他定", by_word=True),
    Question("外地的公司给她开出了什么条件？", "青岛有个船级社", by_word=False),
    Question("欧阳医生说了什么？", "医生姓欧阳", by_word=True),
)
DOCUMENT_QUESTIONS = (
    Question("韩德善设计了什么？", "韩德善", by_word=True),
    Question("清洁镜片可以用什么？", "蒸馏水与麂皮", by_word=False),
    Question("天气看不清的时候要怎样发出声音警告船只？", "每分钟鸣响一次", by_word=False),
    Question("停电以后机器还能撑多久？", "可维持全塔运转十八天", by_word=False),
    Question("麦阿福", "麦阿福", by_word=True),
    Question("E-407 告警是什么意思？", "E-407", by_word=True),
    Question("海里的动物蜇了人怎么处理？", "用食醋冲洗", by_word=False),
    Question("黑尾鸥什么时候繁殖？", "黑尾鸥", by_word=True),
    Question("天旱缺水的时候每个人可以用多少？", "限用二十升", by_word=False),
    Question("大风暴来之前要做哪些准备？", "铝合金防护板", by_word=False),
)


def pdf() -> bytes:
    """A page for each paragraph. The font is one that PDF readers bring along."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for page in PAGES:
        canvas.setFont(FONT, SIZE)
        for number, start in enumerate(range(0, len(page), LINE)):
            canvas.drawString(72, 760 - 20 * number, page[start : start + LINE])
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def remember() -> "Agent":
    """An agent that had the conversation and was given the PDF."""
    from django.contrib.auth.models import User
    from django.core.files.base import ContentFile

    from agents import queue_manager, services
    from agents.external_context import recall_storage
    from agents.ingest import working
    from agents.models import Document, Message

    owner = User.objects.create_user("晓雯")
    agent = services.agent_create(owner=owner, draft=services.AgentDraft(name="小帆", persona="", human=""))
    for day, texts in TALKS.items():
        start = datetime.fromisoformat(f"{day}T20:00").replace(tzinfo=UTC)
        for number, text in enumerate(texts):
            kind = Message.Kind.ASSISTANT if number % 2 else Message.Kind.USER_MESSAGE
            message = Message(kind=kind, content=text, created_at=start + timedelta(minutes=number))
            queue_manager.append(agent, message)
    list(recall_storage.embed_missing(agent))
    content = pdf()
    document = Document.objects.create(
        archive=agent.archive,
        name=f"{TITLE}.pdf",
        file=ContentFile(content, f"{TITLE}.pdf"),
        sha256="chinese",
        media_type="application/pdf",
        size=len(content),
    )
    working.work(document)
    document.refresh_from_db()
    if document.status != Document.Status.READY:
        raise SystemExit(document.error)
    agent.refresh_from_db()
    return agent


def ranks(agent: "Agent") -> dict[str, list[tuple[Question, int | None]]]:
    """Of each question, at which place what answers it was found."""
    from agents.external_context import archival_storage, recall_storage

    most = max(DEPTHS)
    messages = [
        (question, [hit.row.content for hit in recall_storage.find(agent, question.text, size=most).hits])
        for question in CONVERSATION_QUESTIONS
    ]
    passages = [
        (question, [hit.row.text for hit in archival_storage.find(agent, question.text, size=most).hits])
        for question in DOCUMENT_QUESTIONS
    ]
    return {"conversation": [_placed(*one) for one in messages], "PDF": [_placed(*one) for one in passages]}


def _placed(question: Question, texts: list[str]) -> tuple[Question, int | None]:
    places = [place for place, text in enumerate(texts, 1) if question.evidence in text.replace("\n", "")]
    return question, min(places, default=None)


def show(ranked: dict[str, list[tuple[Question, int | None]]]) -> dict[str, Any]:
    both = [one for group in ranked.values() for one in group]
    groups = {
        **ranked,
        "by word": [one for one in both if one[0].by_word],
        "by meaning": [one for one in both if not one[0].by_word],
        "all": both,
    }
    figures = {
        name: {f"R@{k}": round(fmean(place is not None and place <= k for _, place in group), 3) for k in DEPTHS}
        for name, group in groups.items()
    }
    for question, place in both:
        if place != 1:
            print(f"  {question.text} {f'at place {place}' if place else 'not found'}")
    print(f"{'':14}{'questions':>10}" + "".join(f"{f'R@{k}':>8}" for k in DEPTHS))
    for name, group in groups.items():
        print(f"{name:14}{len(group):10}" + "".join(f"{figures[name][f'R@{k}']:8.2f}" for k in DEPTHS))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    with database():
        figures = show(ranks(remember()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
